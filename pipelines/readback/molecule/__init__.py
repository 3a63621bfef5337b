"""Read-back of molecules: the atoms of the record are matched to the places of a structure drawing."""
