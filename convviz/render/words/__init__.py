"""What is said in words: tables, shape arithmetic, programs, worksheets."""
