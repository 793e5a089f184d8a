"""What leaves this machine: checked addresses, one request outward, its signature, the line of what is to be sent."""
