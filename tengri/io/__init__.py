"""Files: written whole or not at all, sealed, and read with care.

``atomic`` puts a file in its place in one step; ``seal`` and ``sealed_json`` find every damaged
byte; ``hdf5_writer`` and ``hdf5_reader`` keep full disks and foreign files from doing harm;
``shards`` are one table as files that many workers make.
"""
