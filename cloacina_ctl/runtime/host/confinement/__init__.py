"""The isolation of the child process, set up before a package's code is loaded."""
