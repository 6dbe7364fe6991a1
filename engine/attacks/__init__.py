"""The threat model, and the attacks that search for perturbations within it."""
