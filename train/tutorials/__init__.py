"""Adversarial training in two sittings: a GAN from scratch, then a CycleGAN, each with a picture."""
