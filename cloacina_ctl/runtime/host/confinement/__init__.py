"""What the child process gives up before a package's code is loaded."""
