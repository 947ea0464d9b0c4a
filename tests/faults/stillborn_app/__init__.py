#: The exit status of processes that are forked after the import of this app's handlers.
EXIT_CODE = 7
