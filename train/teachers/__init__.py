"""Teachers: procedural drawings that paired training imitates. One module, one function ``draw``, one look."""
