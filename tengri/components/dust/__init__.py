"""Dust: attenuation curves, the screen that applies them, and infrared re-emission."""
