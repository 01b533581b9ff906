//! Seal model weights into GPU memory, freeze them there, and prove that they are still there and still the right bytes
