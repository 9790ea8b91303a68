import java.io.File;
import org.apache.pdfbox.preflight.PreflightDocument;
import org.apache.pdfbox.preflight.ValidationResult;
import org.apache.pdfbox.preflight.ValidationResult.ValidationError;
import org.apache.pdfbox.preflight.exception.SyntaxValidationException;
import org.apache.pdfbox.preflight.parser.PreflightParser;

/** Prints "file<TAB>code<TAB>details" for each finding of PDFBox preflight (PDF/A-1b). */
public final class PreflightReport {
    public static void main(String[] paths) throws Exception {
        for (String path : paths) {
            ValidationResult result;
            PreflightParser parser = new PreflightParser(new File(path));
            try {
                parser.parse();
                try (PreflightDocument document = parser.getPreflightDocument()) {
                    document.validate();
                    result = document.getResult();
                }
            } catch (SyntaxValidationException broken) {
                result = broken.getResult();
            }
            for (ValidationError error : result.getErrorsList()) {
                System.out.println(path + "\t" + error.getErrorCode() + "\t"
                        + String.valueOf(error.getDetails()).replace('\n', ' '));
            }
        }
    }
}
