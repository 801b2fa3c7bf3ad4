"""Training: data preparation, the VAE-GAN's loop, and the face model. Sits beside `visiongen.pipeline`."""
