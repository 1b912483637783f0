"""What was judged elsewhere, as images of a review. Each module reads one format.

``coco.import_coco(file, pictures)``, ``masks.import_data_set(folder)`` and ``masks.import_mask(picture, mask)`` each
give an `imported.Imported`. They take ``on_progress`` and ``cancel`` as the engine does, read files, and load torch for
the fingerprints of pictures: they are for a worker.
"""
