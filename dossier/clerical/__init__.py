"""The clerical sequence: leader, number and date, seal; annexes and copies."""
