"""Has no callable."""
