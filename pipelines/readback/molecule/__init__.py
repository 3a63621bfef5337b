"""Read-back of molecules: the record's structure drawn again and laid onto the crop."""
