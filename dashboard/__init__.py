"""The dashboard: what the Streamlit pages are made of. `streamlit run dashboard/Home.py` starts it."""
