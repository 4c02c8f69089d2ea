"""What several rooms of the tests need: a file server that can be told how to behave."""
