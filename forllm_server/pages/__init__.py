"""The pages: one module a noun, one line a module in PAGES."""

from flask import Blueprint

PAGES: tuple[Blueprint, ...] = ()
