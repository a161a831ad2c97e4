"""From a training to sealed artifacts: proof, staging, golden values, card, signature."""
