"""What changed from chip to chip?  Transistors and generations of accelerators."""
