"""Networks. They take images in [0,1], (B, C, H, W), and return logits. Normalisation is their first layer."""
