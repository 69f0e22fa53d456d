"""Files and folders: held by descriptors, appearing whole, locked, and whose they are."""
