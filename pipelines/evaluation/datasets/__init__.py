"""Readers for the layouts that data sets come in."""
