"""Folders and data sets without a viewer: scored and measured, on one machine or many. Knows neither napari nor Qt."""
