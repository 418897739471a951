"""Language models: a prompt and a JSON schema in, an answer and what it cost out."""
