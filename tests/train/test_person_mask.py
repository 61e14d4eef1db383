"""The mask that training photos are cut out by."""

from train.data.person_mask import PersonMask


def test_the_person_mask_covers_the_person(portrait):
    mask = PersonMask()
    try:
        found = mask(portrait)
    finally:
        mask.close()
    assert found.shape == (512, 512)
    assert found[120, 224] > 200  # the face
    assert found[60, 380] < 50  # the wall
