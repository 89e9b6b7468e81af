DROP TRIGGER suggest_anew ON store;
DROP FUNCTION suggest_anew();
