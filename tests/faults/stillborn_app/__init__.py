#: With what the processes end that are forked once this app's handlers are imported.
EXIT_CODE = 7
