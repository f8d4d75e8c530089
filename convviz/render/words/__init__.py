"""Write results in words: tables, shape arithmetic, programs, worksheets."""
