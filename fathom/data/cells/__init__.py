"""What stands in cells: numbers, dates, words, pictures, sounds, steps in time and strokes, read into arrays and measured."""
