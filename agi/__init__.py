"""What happens inside a call: small scripts that ask, record and leave."""
