"""The build action that makes a MariaDB template."""
