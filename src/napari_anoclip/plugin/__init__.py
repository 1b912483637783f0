"""The napari side: layers in, layers out, small widgets between. No arithmetic on tensors, no torch at import."""
