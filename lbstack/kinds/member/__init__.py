"""Members: people by their e-mail address, with a role in the organisation or roles on projects."""
