"""Pages for people: HTML made on the server, usable without JavaScript; they only read."""
