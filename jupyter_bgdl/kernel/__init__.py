"""In the user's kernel: sessions, tasks, delegates, delivery and display."""
