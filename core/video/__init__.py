"""Video: frames from cameras and files, and what is made of the faces in them."""
