"""Reading and writing: scenario files, recordings. Nothing in here needs Linux, root or a lab."""
