"""The operating system and the file system: processor, threads, private files, SQLite files, file kinds, logging."""
