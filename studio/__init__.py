"""The studio of VisionGen 3D: ``streamlit run studio/app.py``. It uses only public names of `visiongen`."""
