"""The dashboard: what the Streamlit pages are made of. `streamlit run dashboard/Home.py` starts it."""

from core.system.thread_env import let_threads_wait

let_threads_wait()  # here, because every page and part of one comes after it, and numpy with them
