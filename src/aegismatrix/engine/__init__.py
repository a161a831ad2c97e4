"""Models run: artifacts opened, bars to probabilities. Alone imports onnxruntime."""
