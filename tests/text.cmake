gm_test(text_tokenizer LINK gm_text)
gm_test(text_segment LINK gm_text)
