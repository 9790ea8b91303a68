import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Calendar;
import java.util.List;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.common.PDStream;
import org.apache.pdfbox.pdmodel.graphics.form.PDFormXObject;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAnnotationWidget;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceDictionary;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceStream;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureInterface;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureOptions;
import org.apache.pdfbox.pdmodel.interactive.form.PDAcroForm;
import org.apache.pdfbox.pdmodel.interactive.form.PDSignatureField;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * Signs as PDFBox 2 with BouncyCastle does in many an office's software.
 *
 * <pre>
 * PdfboxSigner base OUT.pdf
 * PdfboxSigner sign STORE.p12 PASSWORD ALGORITHM IN.pdf OUT.pdf ber|der visible|invisible
 * </pre>
 *
 * Several commands may follow each other, with "--" between them.
 */
public final class PdfboxSigner {
    public static void main(String[] words) throws Exception {
        List<String> all = Arrays.asList(words);
        while (!all.isEmpty()) {
            int end = all.indexOf("--");
            List<String> one = end < 0 ? all : all.subList(0, end);
            all = end < 0 ? List.of() : all.subList(end + 1, all.size());
            if (one.get(0).equals("base")) {
                base(new File(one.get(1)));
            } else {
                sign(one.subList(1, one.size()));
            }
        }
    }

    private static void base(File target) throws IOException {
        try (PDDocument document = new PDDocument()) {
            for (int number = 1; number <= 2; number++) {
                PDPage page = new PDPage(PDRectangle.A4);
                document.addPage(page);
                try (PDPageContentStream text = new PDPageContentStream(document, page)) {
                    // lines, not letters: looking for fonts takes PDFBox seconds
                    for (int line = 0; line < 20; line++) {
                        text.addRect(72, 700 - 20 * line, 300 + 10 * number, 2);
                    }
                    text.fill();
                }
            }
            document.getDocumentInformation().setTitle("Quyet dinh mau");
            document.save(target);
        }
    }

    private static void sign(List<String> words) throws Exception {
        char[] password = words.get(1).toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(words.get(0))) {
            store.load(in, password);
        }
        String alias = store.aliases().nextElement();
        PrivateKey key = (PrivateKey) store.getKey(alias, password);
        List<Certificate> chain = Arrays.asList(store.getCertificateChain(alias));
        boolean streamed = words.get(5).equals("ber");
        SignatureInterface maker = content -> cms(key, chain, words.get(2), content, streamed);
        try (PDDocument document = PDDocument.load(new File(words.get(3)));
                FileOutputStream out = new FileOutputStream(words.get(4))) {
            PDSignature signature = new PDSignature();
            signature.setFilter(PDSignature.FILTER_ADOBE_PPKLITE);
            signature.setSubFilter(PDSignature.SUBFILTER_ADBE_PKCS7_DETACHED);
            signature.setName("Tran Mau Thu");
            signature.setReason("Thu chu ky");
            signature.setSignDate(Calendar.getInstance());
            SignatureOptions options = new SignatureOptions();
            options.setPreferredSignatureSize(16000);
            if (words.get(6).equals("visible")) {
                options.setVisualSignature(appearance());
                options.setPage(0);
            }
            document.addSignature(signature, maker, options);
            document.saveIncremental(out);
            options.close();
        }
    }

    /** A one-page template that holds a signature field with its appearance. */
    private static InputStream appearance() throws IOException {
        try (PDDocument template = new PDDocument()) {
            PDPage page = new PDPage(PDRectangle.A4);
            template.addPage(page);
            PDAcroForm form = new PDAcroForm(template);
            template.getDocumentCatalog().setAcroForm(form);
            PDSignatureField field = new PDSignatureField(form);
            PDAnnotationWidget widget = field.getWidgets().get(0);
            form.setSignaturesExist(true);
            form.setAppendOnly(true);
            form.getCOSObject().setDirect(true);
            form.getFields().add(field);
            widget.setRectangle(new PDRectangle(372, 228, 150, 70));
            PDFormXObject drawn = new PDFormXObject(new PDStream(template));
            drawn.setBBox(new PDRectangle(150, 70));
            drawn.setFormType(1);
            PDAppearanceDictionary looks = new PDAppearanceDictionary();
            looks.getCOSObject().setDirect(true);
            PDAppearanceStream stream = new PDAppearanceStream(drawn.getCOSObject());
            looks.setNormalAppearance(stream);
            widget.setAppearance(looks);
            widget.setPage(page);
            try (PDPageContentStream content = new PDPageContentStream(template, stream)) {
                content.setNonStrokingColor(0.1f, 0.2f, 0.7f);
                content.addRect(5, 30, 140, 3);
                content.fill();
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            template.save(out);
            return new ByteArrayInputStream(out.toByteArray());
        }
    }

    private static byte[] cms(
            PrivateKey key, List<Certificate> chain, String algorithm, InputStream content,
            boolean streamed) throws IOException {
        try {
            CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
            X509Certificate own = (X509Certificate) chain.get(0);
            generator.addSignerInfoGenerator(
                    new JcaSignerInfoGeneratorBuilder(
                            new JcaDigestCalculatorProviderBuilder().build())
                        .build(new JcaContentSignerBuilder(algorithm)
                            .setProvider(new BouncyCastleProvider()).build(key), own));
            generator.addCertificates(new JcaCertStore(chain));
            CMSProcessableByteArray data = new CMSProcessableByteArray(content.readAllBytes());
            CMSSignedData made = generator.generate(data, false);
            return streamed ? made.getEncoded() : made.toASN1Structure().getEncoded("DER");
        } catch (Exception problem) {
            throw new IOException(problem);
        }
    }

    private PdfboxSigner() {
    }
}
