"""What `make check` looks at besides the code: licences of what is installed, known vulnerabilities of it."""
