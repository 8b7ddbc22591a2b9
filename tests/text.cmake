gm_test(text_tokenizer LINK gm_text)
