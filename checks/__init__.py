"""What looks at the whole product besides its code: licences, known vulnerabilities, the wheel with each extra."""
