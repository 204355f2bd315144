"""The command line: one short file a command, loaded when it is asked for. No decisions here."""
