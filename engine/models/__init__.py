"""Networks that take images in [0,1], shape (B, C, H, W), and return logits: normalisation is their first layer."""
