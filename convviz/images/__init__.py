"""Pictures and files of numbers as channels of float32."""
