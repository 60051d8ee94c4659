WORD = "part"
