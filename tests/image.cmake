gm_test(image_decode LINK gm_image)
gm_test(image_damaged LINK gm_image)
gm_test(image_resize LINK gm_image m)
gm_test(image_mask LINK gm_image m)
