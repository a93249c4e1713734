"""What a project's own files tell of the services that it uses, and the declaration that follows from it."""
