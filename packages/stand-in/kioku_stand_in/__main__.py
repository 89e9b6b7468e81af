"""`python -m kioku_stand_in`: serve the stand-in model until SIGTERM or SIGINT."""

from kioku_stand_in import create_model_app
from openai_double.__main__ import main

if __name__ == "__main__":
    main(create_model_app())
